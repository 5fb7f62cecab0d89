"""`tracefuse.backends`."""

from tracefuse.api.switches import *
