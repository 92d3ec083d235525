"""Seconds and bytes as a person reads them."""

GB = 10**9


def duration_words(seconds: float) -> str:
    """40 as "40 seconds", 5400 as "1.5 hours"."""
    for name, factor in (("year", 31_557_600), ("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= 1.5 * factor:
            return (
                f"{seconds / factor:,.0f} {name}s"
                if seconds >= 10 * factor
                else (f"{seconds / factor:.1f} {name}s")
            )
    return f"{max(1.0, seconds):.0f} second{'s' if seconds >= 1.5 else ''}"


def number_words(number: float) -> str:
    """7000000000 as "7B", 134515008 as "135M"."""
    for unit, factor in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("K", 1e3)):
        if number >= 0.9995 * factor:
            return f"{number / factor:.3g}{unit}"
    return f"{number:.0f}"


def memory_words(size: float) -> str:
    """Bytes in words: "1.4 GB", "120 GB", "80 MB", "3.6 MB", "360 KB"."""
    if 0 < size < 1e6:
        return f"{max(1.0, size / 1e3):.0f} KB"
    if size < GB:
        return f"{size / 1e6:.1f} MB" if 0 < size < 1e7 else f"{size / 1e6:.0f} MB"
    return f"{size / GB:.1f} GB" if size < 10 * GB else f"{size / GB:,.0f} GB"
