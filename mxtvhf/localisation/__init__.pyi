from .position import SourceLocalisation as SourceLocalisation
from .position import localise as localise
