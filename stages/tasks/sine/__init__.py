"""Sine forecasting (report C): learn to predict the next point of a wave, then continue from one's own forecasts."""
