"""Features of the change in its repository's past: where, by whom, when, and how it is told."""

import math

from sentinel.features.facts import unmentioned_share
from sentinel.features.feature import flag_feature, size_feature, surprise

PLACE = (
    surprise("place_surprise", "place", "touches a directory that seldom changes", "Gonzalez et al. 2021",
             lambda s: s.directory, 12),
    surprise("path_surprise", "place", "touches files that seldom change", "Gonzalez et al. 2021",
             lambda s: s.path, 12),
    surprise("type_surprise", "what", "touches a type of file that seldom changes", "Goyal et al. 2018",
             lambda s: s.file_type, 12),
    surprise("pair_surprise", "what", "changes types of files together that seldom change together",
             "Goyal et al. 2018", lambda s: s.pair, 12),
    surprise("new_file_surprise", "place", "adds a file where files are seldom added", "replay baselines",
             lambda s: s.added_to, 12),
    surprise("type_for_author_surprise", "what", "touches a type of file unusual for this author",
             "Gonzalez et al. 2021", lambda s: s.file_type_for_author, 12),
    surprise("alone_surprise", "what", "changes a file nearly alone that usually changes along with many",
             "replay baselines", lambda s: s.aloneness, 5),
)
AUTHOR = (
    size_feature("log_experience", "author", "comes from an author with {} here lately", "landed change",
                 "Kamei et al. 2013", lambda s: math.log1p(s.experience)),
    flag_feature("is_first", "author", "is the author's first here", "is not the author's first here",
                 "Gonzalez et al. 2021", lambda s: float(s.earlier == 0)),
    size_feature("log_unfamiliar_files", "place", "touches {} in places that this author has never touched", "file",
                 "Gonzalez et al. 2021", lambda s: math.log1p(s.unfamiliar_files)),
    surprise("place_for_author_surprise", "place", "touches a directory unusual for this author",
             "Gonzalez et al. 2021", lambda s: s.directory_for_author, 12),
    surprise("place_for_level_surprise", "place", "touches a directory unusual for authors of this experience",
             "replay baselines", lambda s: s.directory_for_level, 12),
    surprise("mix_for_author_surprise", "what", "mixes kinds of files in a way unusual for this author",
             "replay baselines", lambda s: s.mix_for_author, 10),
    surprise("mix_for_level_surprise", "what",
             "mixes kinds of files in a way unusual for authors of this experience", "replay baselines",
             lambda s: s.mix_for_level, 10),
)
RHYTHM = (
    surprise("silence_surprise", "silence", "ends a silence that is long for this author", "xygeni commit_anomalous",
             lambda s: s.silence, 8),
    surprise("quiet_surprise", "moment", "comes when nothing else happens here", "replay baselines",
             lambda s: s.quiet, 12),
    surprise("hour_surprise", "moment", "comes at an hour unusual for this author", "Goyal et al. 2018",
             lambda s: s.hour, 5),
    surprise("weekday_surprise", "weekday", "comes on a day of the week unusual for this author",
             "xygeni commit_anomalous", lambda s: s.weekday, 6),
    surprise("burst_surprise", "again", "is one of many by this author within a day", "anti-slop",
             lambda s: float(s.opened_last_day), 8),
    surprise("tries_surprise", "again", "comes back to exactly the same files", "domain notes, 2.3",
             lambda s: float(min(s.tries, 8)), 8),
    surprise("undo_surprise", "undo", "undoes a recent change", "replay baselines", lambda s: s.undone, 12),
)
TEXT = (
    surprise("title_shape_surprise", "text", "has a title of a form unusual for this author", "replay baselines",
             lambda s: s.title_for_author, 10),
    surprise("title_word_surprise", "text", "has unusual words in its title", "replay baselines",
             lambda s: s.title_words, 10),
    surprise("branch_surprise", "text", "comes from a branch named unlike those of this author", "Ultralytics incident",
             lambda s: s.branch_for_author, 10),
    surprise("unmentioned_surprise", "text", "names few of the files in its title and text", "CommitEval",
             lambda s: unmentioned_share(s.facts) if s.facts.files else math.nan, 1),
    surprise("base_surprise", "route", "goes into a branch unusual for this author", "anti-slop",
             lambda s: s.base_for_author, 10),
    surprise("fork_surprise", "route", "comes from a fork, or not from one, unlike this author's others", "anti-slop",
             lambda s: s.fork_for_author, 10),
)
