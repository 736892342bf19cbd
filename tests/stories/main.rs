//! Stories through the real processes, each a promise that its file is named after. Every story runs on the embedded
//! broker with SQLite, and on a real Kafka with Postgres where they can be had; the run prints which.

#![expect(clippy::unwrap_used, reason = "a story fails by panicking")]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../sums/mod.rs"]
mod sums;
#[path = "../torture/mod.rs"]
mod torture;

mod a_broker_or_database_that_crashes_is_waited_for;
mod a_budget_that_is_reached_is_told_once;
mod a_connection_cut_at_the_commit_leaves_no_doubt;
mod a_cost_is_explained_as_it_is_stored;
mod a_database_of_an_earlier_version_goes_on;
mod a_dead_letter_is_repaired_and_counts_once;
mod a_flood_of_poison_is_held_and_reported;
mod a_frozen_owner_commits_nothing_after_its_successor;
mod a_full_or_protected_disk_is_waited_for;
mod a_restore_from_copies_of_different_moments_converges;
mod a_schema_registry_is_told_our_schemas;
mod a_session_whose_client_is_gone_holds_nobody_up;
mod a_stopped_pipeline_is_verified_where_nobody_can_write;
mod a_stream_larger_than_memory_is_taken_line_by_line;
mod a_topic_that_was_made_again_is_not_taken_for_the_old;
mod an_external_registry_names_the_schemas;
mod another_process_that_locks_sqlite_is_waited_for;
mod another_programs_database_is_left_alone;
mod bad_records_become_dead_letters;
mod captured_requests_arrive_exactly_by_every_way;
mod costs_are_computed_again_and_put_back;
mod days_are_dropped_whole_and_nothing_else;
mod every_role_says_how_it_is;
mod exporters_find_their_standard_ports;
mod files_committed_in_reverse_order_are_both_windowed;
mod hostile_operations_and_spans_are_stored_as_text;
mod imports_give_the_known_totals;
mod ingestors_come_and_go;
mod instrumented_applications_arrive_complete;
mod killed_again_and_again_nothing_is_lost_or_doubled;
mod neither_many_days_nor_a_frozen_neighbour_stop_the_ingestor;
mod operator_commands_say_what_is_wrong;
mod other_teams_write_as_the_contract_says;
mod postgres_out_of_reach_is_waited_for;
mod prices_of_the_deployment_are_read_again;
mod prompts_in_log_records_are_shown_with_their_operation;
mod small_files_become_few_and_nothing_changes;
mod stock_clients_read_topics_and_files;
mod stopped_and_started_again_it_goes_on;
mod the_oracle_finds_what_is_wrong;
mod the_policy_says_whose_cost_counts;
mod topics_are_created_once_and_differences_are_said;
mod verify_finds_damage;
mod what_an_application_spooled_is_stored_after_its_death;
mod what_retention_removed_is_recorded_and_passed;
mod what_windows_do_not_keep_is_read_from_files;
mod whatever_fails_nothing_is_lost_or_doubled;
mod whatever_order_and_batches_the_sums_are_equal;
mod windows_are_rebuilt_identically;
mod wrong_settings_fail_before_the_first_connection;
