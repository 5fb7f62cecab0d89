"""`tracefuse.cuda.nvtx`."""

from tracefuse.api.gpu.nvtx import *
