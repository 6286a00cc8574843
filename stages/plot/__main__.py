from stages.lib.errors import run
from stages.plot import main

run(main)
