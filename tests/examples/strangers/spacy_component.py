# The component in a pipeline of his own. Prints: \['Tomo', 'Bern', 'Bern University'\]
import spacy
import spacy_component  # noqa: F401

from gpkl_lib import Tagger

nlp = spacy.blank("en")
nlp.add_pipe("global_pointer", config={"spans_key": "names"}).tagger = Tagger.load("known")
doc = nlp("Dr Tomo works at Bern University.")
print([span.text for span in doc.spans["names"]])
