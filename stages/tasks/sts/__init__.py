"""Sentence similarity on the STS Benchmark (report A): a Siamese LSTM scores sentence pairs from 0 to 5."""
