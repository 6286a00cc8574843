"""English text: report A's preprocessing, word vectors, SemEval-2014 sentences, BIO tags and parts of speech."""
