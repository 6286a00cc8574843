from stages.download import main
from stages.lib.errors import run

run(main)
