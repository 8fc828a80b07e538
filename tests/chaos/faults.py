"""The fault matrix: what goes wrong, what is expected then, and the tests that do it."""

from dataclasses import dataclass

FETCHING, PREPROCESSING = "tests/chaos/test_fetching.py::", "tests/chaos/test_preprocessing.py::"
TRAINING = "tests/chaos/test_training.py::"
SERVING, POISON = "tests/chaos/test_serving.py::", "tests/chaos/test_poison.py::"
BUCKET, VAULT = "tests/sentinel/test_bucket_store.py::", "tests/sentinel/test_vault.py::"
SPARK, TRAIN = "tests/spark_preprocess/test_spark_preprocess.py::", "tests/ml_training/test_train_autoencoder.py::"
NOTHING_TWICE = "lost 0, duplicates 0"


@dataclass(frozen=True)
class Fault:
    """One row of the matrix."""

    fault: str
    expected: str
    tests: tuple[str, ...]


FAULTS = (
    Fault("data_fetch killed (-9) at seeded points, run again", NOTHING_TWICE,
          (f"{FETCHING}test_fetch_killed_at_seeded_points_is_completed_by_the_next",)),
    Fault("data_fetch killed, GitHub away within a page, MongoDB killed within a bulk, by seed", NOTHING_TWICE,
          ("tests/data_fetch/test_nothing_lost.py::test_after_kills_and_outages_the_collection_is_what_github_holds",)),
    Fault("GitHub answers 30 % of requests with errors, cuts and limits", "all pull requests, in their last state",
          ("tests/sources/test_github_faults.py::test_after_failures_and_kills_all_is_there_as_it_is",)),
    Fault("GitHub's limits and 403, 429, 5xx", "waits within the budget, then 75",
          ("tests/sources/test_github_limits.py::test_passing_failure_is_survived",
           "tests/sources/test_github_limits.py::test_limit_beyond_the_budget_is_not_waited_for")),
    Fault("two copies of data_fetch at once", NOTHING_TWICE,
          (f"{FETCHING}test_two_fetches_at_once_store_each_pull_request_once",)),
    Fault("MongoDB cut mid-bulk, in requests and in answers", f"{NOTHING_TWICE}, exit 0 or 75, then 0",
          (f"{FETCHING}test_mongodb_cut_within_bulks_loses_nothing",)),
    Fault("MongoDB gone for 2 s mid-bulk", f"{NOTHING_TWICE}, the same run goes on",
          (f"{FETCHING}test_mongodb_that_comes_back_within_the_budget_costs_no_run",)),
    Fault("MongoDB refuses, or is silent, at the start", "75 within 30 s, the host named, the password not",
          (f"{FETCHING}test_mongodb_that_is_away_is_told_within_the_budget_and_without_the_password",)),
    Fault("spark_preprocess killed (-9) at seeded points, run again",
          f"{NOTHING_TWICE}, readers see old or new only",
          (f"{PREPROCESSING}test_preprocessing_killed_at_seeded_points_shows_old_or_new",)),
    Fault("spark_preprocess stopped by SIGTERM, SIGINT, SIGKILL", "75, 130, -9; no process and no marker left",
          (f"{SPARK}test_stopped_run_leaves_no_process_and_nothing_that_counts",)),
    Fault("Spark's Java killed (-9)", "75, told once",
          (f"{SPARK}test_java_that_is_killed_is_temporary_and_told_once",)),
    Fault("two copies of spark_preprocess at once", f"{NOTHING_TWICE}, each 0 or 75",
          (f"{PREPROCESSING}test_two_preprocessings_at_once_give_whole_features",)),
    Fault("MongoDB gone while Spark reads", f"75, old features stay; then {NOTHING_TWICE}",
          (f"{PREPROCESSING}test_mongodb_gone_while_spark_reads_leaves_the_old_features",)),
    Fault("S3 cut, 500 and 503, once for every kind of file", "the run is whole",
          ("tests/spark_preprocess/test_bucket.py::test_run_into_a_bucket_is_whole_though_uploads_fail_once",)),
    Fault("S3 cuts every upload of parquet", "75, nothing more is visible",
          ("tests/spark_preprocess/test_bucket.py::"
           "test_upload_that_always_breaks_is_temporary_and_nothing_more_is_visible",)),
    Fault("S3 upload in parts breaks half-way", "no object, no parts left",
          (f"{BUCKET}test_upload_in_parts_that_breaks_leaves_no_file_and_no_parts",
           f"{BUCKET}test_run_whose_provenance_is_cut_is_not_there")),
    Fault("S3 fails 30 % of requests, 1,000 calls",
          "each object whole; about 2.4 calls fail, as 75, and the stage is run again",
          ("tests/chaos/test_bucket_weather.py::test_three_failures_of_ten_requests_cost_almost_no_call",)),
    Fault("Vault sealed, slow, away", "75 within the budget; unsealed within it: no failure",
          (f"{VAULT}test_absence_is_asked_again_and_told_by_its_kind",
           f"{VAULT}test_slow_vault_is_cut_off_by_the_budget",
           f"{VAULT}test_vault_unsealed_within_the_budget_is_no_failure",
           f"{VAULT}test_vault_that_is_away_is_told_with_its_address")),
    Fault("Vault's lease ended, service account's token rotated or expired", "one more login, then told",
          (f"{VAULT}test_ended_lease_is_renewed_by_one_login_and_then_told",
           f"{VAULT}test_rotated_token_is_used_at_the_next_try",
           f"{VAULT}test_expired_token_of_the_service_account_is_told")),
    Fault("Vault refuses for good: role, path, key", "2 at once, no secret shown",
          ("tests/data_fetch/test_secrets_from_vault.py::test_exit_code_tells_whether_to_try_again",
           "tests/sentinel/test_settings_from_vault.py::test_missing_key_is_named_with_its_place")),
    Fault("Vault refuses and secrets rotate while the scorer serves", "failed requests 0",
          ("tests/model_serving/test_vault.py::test_refused_logins_and_rotated_secrets_fail_no_request",)),
    Fault("ml_training killed (-9) at seeded points, run again",
          "one champion at every moment, it loads; then the new one",
          (f"{TRAINING}test_training_killed_at_seeded_points_keeps_one_champion_that_loads",)),
    Fault("two copies of ml_training at once", "one champion, each 0 or 75",
          (f"{TRAINING}test_two_trainings_at_once_end_with_one_champion",)),
    Fault("MLflow gone while training logs: refuses, silent, cut", "75, the old champion stays; run again: 0",
          (f"{TRAINING}test_mlflow_gone_while_training_logs_leaves_the_old_champion",)),
    Fault("MLflow away at the start of training", "75 within 60 s, the host named",
          (f"{TRAINING}test_mlflow_that_is_away_at_the_start_is_told_within_a_minute",)),
    Fault("MLflow killed (-9) and started again", "the champion is there, nothing is trained twice",
          (f"{TRAINING}test_mlflow_killed_and_started_again_keeps_its_champion",)),
    Fault("MLflow away while a scorer without a copy starts", "ready by itself once MLflow is back",
          (f"{SERVING}test_scorer_started_without_mlflow_is_ready_once_it_is_back",)),
    Fault("MLflow away while a scorer with a copy starts and serves", "the last good copy serves",
          ("tests/model_serving/test_server.py::"
           "test_it_serves_the_last_good_copy_and_ends_with_sigterm_leaving_no_child",)),
    Fault("truncated model in MLflow: the next training", "65, the champion stays",
          (f"{TRAINING}test_truncated_model_in_mlflow_is_refused_by_the_next_training",)),
    Fault("truncated model in MLflow: a scorer that starts", "not ready, predictions 0; ready once it is whole",
          (f"{SERVING}test_truncated_model_is_never_ready_until_it_is_whole",)),
    Fault("copy of the model harmed on the scorer's disk", "refused, the old one stays",
          ("tests/model_serving/test_operations.py::test_a_harmed_model_is_refused_and_the_old_one_stays",)),
    Fault("truncated parquet, altered parquet, a column gone", "65, the file named, the champion stays",
          (f"{TRAIN}test_part_cut_short_is_refused_and_the_champion_stays",
           "tests/ml_training/test_dataset.py::test_part_without_a_feature_is_refused")),
    Fault("disk full", "75, nothing half-written is visible",
          ("tests/ml_training/test_dataset.py::test_full_disk_is_told",
           "tests/sentinel/test_object_store.py::test_failed_write_leaves_the_old_file_and_nothing_else")),
    Fault("poisoned lines: 10 MB, NUL, lone surrogates, NaN, wrong types, negative counts",
          "good ones stored and given features, bad ones kept apart",
          (f"{POISON}test_poisoned_lines_are_kept_apart_and_the_good_ones_stored",)),
    Fault("documents poisoned in MongoDB itself", "left out and counted by field",
          (f"{POISON}test_documents_poisoned_in_mongodb_are_left_out_and_counted",)),
    Fault("document of 16 MB and more", "its patches go, or it is kept apart alone",
          ("tests/sentinel/test_mongo.py::test_too_large_document_loses_its_patches",
           "tests/sentinel/test_mongo.py::test_document_too_large_without_patches_is_rejected_alone")),
    Fault("too many bad records", "65, after the good ones are stored",
          ("tests/data_fetch/test_fetch_github_data.py::"
           "test_too_many_rejected_records_fail_after_the_good_ones_are_stored",
           f"{SPARK}test_more_rejected_documents_than_allowed_stop_the_run")),
    Fault("any value in any field of a request", "4xx, never 5xx",
          ("tests/model_serving/test_bad_input.py::test_no_value_of_any_field_is_a_bug",)),
    Fault("far more load than the scorer can take, 20 s", "200 or 503 with Retry-After, quick again within 20 s",
          (f"{SERVING}test_far_too_much_load_is_turned_away_early_and_passes",)),
    Fault("256 slow clients", "failed requests of others 0, p95 at most doubled and 20 ms",
          (f"{SERVING}test_256_slow_clients_hold_up_nobody",)),
    Fault("eight new champions under load", "failed requests 0 of 20,000",
          (f"{SERVING}test_new_champions_under_load_fail_no_request",)),
    Fault("a worker of the scorer killed (-9) under load", "only what it had in hand breaks; replaced",
          (f"{SERVING}test_worker_killed_under_load_is_replaced",)),
)
