from stages.errors import run
from stages.evaluate import main

run(main)
