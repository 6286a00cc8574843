from stages.download import main
from stages.lib.errors import run_stage

run_stage(main)
