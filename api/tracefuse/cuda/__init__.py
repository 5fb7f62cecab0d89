"""`tracefuse.cuda`."""

from tracefuse.api.cuda import *
from tracefuse.api.gpu.memory import *
from tracefuse.api.gpu.random import *
from tracefuse.api.gpu.streams import *
from tracefuse.cuda import amp as amp
from tracefuse.cuda import nvtx as nvtx
