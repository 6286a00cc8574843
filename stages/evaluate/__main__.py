from stages.lib.errors import run
from stages.evaluate import main

run(main)
