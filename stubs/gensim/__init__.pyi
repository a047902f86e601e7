from gensim import models as models
