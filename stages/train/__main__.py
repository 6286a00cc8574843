from stages.lib.errors import run
from stages.train import main

run(main)
