from stages.errors import run
from stages.report import main

run(main)
