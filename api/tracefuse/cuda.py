"""`tracefuse.cuda`."""

from tracefuse.api.cuda import *
