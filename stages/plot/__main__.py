from stages.errors import run
from stages.plot import main

run(main)
