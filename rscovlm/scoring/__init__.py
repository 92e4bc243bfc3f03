"""When an answer is right: words, letters and numbers, without torch. Boxes are scored by ``detection_eval``.

| module | knows |
|---|---|
| ``answers`` | our normal form of an answer, and the number, class or letter that it states |
| ``choices`` | letters of multiple choice, by our grammar and as public scorers read them |
| ``synonyms`` | whether two words share a WordNet synset |
| ``containment`` | rules of public scorers by which one answer holds another; RSVQA's bins |
| ``counts`` | errors of numbers, as sums |
| ``captions`` | BLEU, ROUGE-L and CIDEr-D |
"""
