"""What PyTorch keeps under torch.utils."""

from tracefuse.utils import checkpoint as checkpoint
from tracefuse.utils import data as data
