"""The pipeline's stages, one module each: download, preprocess, train, evaluate, plot, report (and predict)."""
