"""`tracefuse.cpu`."""

from tracefuse.cpu import amp as amp
