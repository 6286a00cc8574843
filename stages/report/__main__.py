from stages.lib.errors import run
from stages.report import main

run(main)
