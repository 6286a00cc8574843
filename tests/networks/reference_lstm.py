"""torch.nn.LSTM on packed sequences: what the packed LSTM is compared with."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


def padded(lengths: list[int], width: int = 3, extra: int = 0, seed: int = 0) -> Tensor:
    """Random vectors [B, longest + extra, width] in double precision."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(len(lengths), max(lengths) + extra, width, generator=generator, dtype=torch.float64)


def torch_states(lstm: nn.LSTM, vectors: Tensor, lengths: list[int]) -> tuple[Tensor, Tensor]:
    """torch's own states at every word [B, T, directions · H], and at each direction's end [directions, B, H]."""
    packed = pack_padded_sequence(vectors, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
    states, (ends, _) = lstm(packed)
    return pad_packed_sequence(states, batch_first=True)[0], ends


def as_torch(layer: nn.ModuleList, width: int, hidden: int) -> nn.LSTM:
    """torch.nn.LSTM with the parameters of one layer: of one direction or both."""
    lstm = nn.LSTM(width, hidden, batch_first=True, bidirectional=len(layer) == 2).double()
    with torch.no_grad():
        for one, ending in zip(layer, ("", "_reverse"), strict=False):
            for name, parameter in one.named_parameters():
                getattr(lstm, name + ending).copy_(parameter)
    return lstm
