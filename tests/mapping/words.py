"""Facts as the lines that commands print."""

from scimsvc.mapping import Profile, synchronization
from scimsvc.mapping.profile.changes import changes
from scimsvc.service.words import change_in_words, difference_in_words, kept_in_words, left_out_in_words


def revisions(former: Profile, new: Profile) -> list[str]:
    """Return one line for each change."""
    return [change_in_words(change) for change in changes(former, new)]


def differences(profile: Profile, entra: Profile) -> list[str]:
    """Return one line for each difference."""
    return [difference_in_words(difference) for difference in synchronization.differences(profile, entra)]


def left_out(imported: synchronization.Imported) -> list[str]:
    """Return one line for each part of a schema that its profile does not have."""
    return [left_out_in_words(part) for part in imported.left_out]


def kept(notes: list[synchronization.Kept]) -> list[str]:
    """Return one line for each part of a base that stays as it was."""
    return [kept_in_words(note) for note in notes]
