from stages.download import main
from stages.errors import run

run(main)
