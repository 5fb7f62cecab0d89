"""`tracefuse.accelerator`."""

from tracefuse.api.gpu.accelerator import *
