"""English text: report A's preprocessing, GloVe vectors, SemEval-2014 sentences, BIO tags, parts of speech, word2vec."""
