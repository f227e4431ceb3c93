"""The names of statistics in calibrations, window records and alerts; each names its convention.

"Jensen-Shannon above 0.1" is four different tests, by the root and by the logarithm's base, so a
name here is one formula for ever.
"""

from enum import StrEnum


class Statistic(StrEnum):
    """One formula each; those of the first block may raise an alert."""

    JENSEN_SHANNON = "jensen_shannon_distance_base_2"
    """Over all bins; of discrete and category columns."""
    JENSEN_SHANNON_16 = "jensen_shannon_distance_base_2_groups_16"
    """Over groups of bins; of numeric columns."""
    WASSERSTEIN = "wasserstein_1_in_reference_sd"
    CORRELATION = "greatest_correlation_change"

    PSI = "psi_natural_log_plus_half"
    PSI_16 = "psi_natural_log_plus_half_groups_16"
    KOLMOGOROV_SMIRNOV = "kolmogorov_smirnov"
    HELLINGER = "hellinger"
    L_INFINITY = "l_infinity"
    TOTAL_VARIATION = "total_variation"
    CHI_SQUARE = "chi_square_two_sample"

    @property
    def grows_with_variance(self) -> bool:
        """Whether chance moves it like a variance, by ``1/n``, and not like a deviation."""
        return self in {Statistic.PSI, Statistic.PSI_16}
