"""The kinds of figure, one module each; stages/plot/__init__.py says what a module offers."""
