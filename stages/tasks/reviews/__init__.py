"""Review sentiment on rt-polarity (reports C and D): is a sentence from a film review positive or negative?"""
