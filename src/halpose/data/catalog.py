"""The benchmarks: one `DatasetSpec` each: what its files look like, who trains, who tests, on what terms.

To add a data set, write one `DatasetSpec` in `sets_open` (or `sets_on_request`) and its line here; to read a new kind
of file, see `halpose.io`. Training parts are the published ones. The validation part is ours: it leaves the official
training part, by subject wherever the set names subjects, and takes every fifth of them in natural order, or the last
where there are fewer than five. It is for every choice one makes; the test part is for the number one reports.
"""

from __future__ import annotations

from halpose.data import sets_on_request, sets_open
from halpose.data.spec import DatasetSpec
from halpose.errors import ConfigError

DATASETS: dict[str, DatasetSpec] = {
    "ntu60": sets_on_request.NTU_60,
    "ntu120": sets_on_request.NTU_120,
    "pkummd1": sets_on_request.PKUMMD_1,
    "pkummd2": sets_on_request.PKUMMD_2,
    "utd-mhad": sets_open.UTD,
    "nw-ucla": sets_open.UCLA,
    "msr-action3d": sets_open.MSR,
    "sbu": sets_open.SBU_KINECT,
    "hdm05": sets_open.HDM,
    "bandai-namco": sets_open.BANDAI,
    "bandai-namco-1": sets_open.BANDAI_SMALL,
}


def find_spec(name: str) -> DatasetSpec:
    """The data set of a name.

    Raises:
        ConfigError: there is none of that name.
    """
    try:
        return DATASETS[name]
    except KeyError:
        raise ConfigError(f"no data set named {name!r}; halpose knows {', '.join(DATASETS)}") from None
