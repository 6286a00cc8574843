"""The networks, one a file; they import torch alone, and know neither tasks nor stages."""
