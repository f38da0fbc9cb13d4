//! The lists of all promises. Each macro calls the macro it is given with the names of a port's
//! promises, so that every adapter is tried on the same list.

/// For everything the store is: `each!(port: promise, ..);` for each of its ports.
#[macro_export]
macro_rules! promises_of_the_store {
    ($each:ident) => {
        $each!(tenants:
            a_new_application_is_found_by_its_token,
            a_token_nobody_has_finds_nothing,
            an_idempotency_key_makes_one_application,
            an_idempotency_key_used_at_once_makes_one_application,
            a_taken_token_or_id_is_a_conflict_and_stores_nothing,
            applications_are_listed_oldest_first,
            a_renamed_application_shows_its_new_name,
            a_deleted_application_is_found_by_nobody,
            keys_have_a_limit_also_when_asked_for_at_once,
            a_revoked_key_stays_listed_and_makes_room,
            no_tenant_revokes_the_key_of_another,
        );
        $each!(reader:
            what_was_never_there_is_absent,
            a_message_is_seen_only_while_it_its_chat_and_its_application_are_live,
            no_tenant_reads_what_is_anothers,
            a_uid_names_its_row_for_ever,
            chats_are_listed_ascending_page_by_page,
            reads_that_were_given_up_leave_nothing_stale_behind,
            windows_forward_show_each_live_message_once,
            windows_backward_show_each_live_message_once,
            a_window_before_ends_just_before_it,
            an_empty_chat_has_an_empty_window,
            complete_through_ends_before_the_first_number_that_may_still_come,
            complete_through_never_falls_behind_the_pages_of_a_walk,
            a_number_in_the_gap_ledger_was_never_stored,
            gaps_are_listed_ascending_page_by_page,
            a_walk_across_tenants_shows_every_live_chat_and_message_once,
            the_index_is_told_the_state_of_now,
            digests_tell_what_the_index_should_hold,
            message_keys_are_listed_above_a_number,
            a_stored_message_is_read_by_key_whatever_the_order_of_the_keys,
        );
        $each!(writer:
            a_message_reads_back_as_it_was_written,
            any_text_reads_back_to_the_last_bit,
            a_chat_reads_back_as_it_was_written,
            a_large_batch_is_stored_whole,
            a_command_carried_out_twice_is_one_row_counted_once,
            many_writers_of_the_same_commands_store_each_once,
            a_message_before_its_chat_is_kept_and_not_counted_as_a_chat,
            a_change_before_its_create_waits_for_it,
            a_uid_under_a_second_number_becomes_an_alias_and_takes_its_stub_along,
            a_number_with_another_uid_stays_as_it_was,
            a_uid_of_another_tenant_moves_nothing,
            nothing_is_stored_for_a_deleted_application,
            a_plan_sees_exactly_what_its_keys_name,
            what_a_plan_decides_on_does_not_change_under_it,
            a_plan_that_clashes_writes_nothing_at_all,
            a_write_that_is_dropped_half_way_leaves_all_or_nothing,
        );
        $each!(sequences:
            blocks_follow_one_another,
            scopes_are_counted_apart_and_answered_in_order,
            one_call_may_reserve_a_scope_twice,
            a_block_that_does_not_continue_the_callers_own_marks_a_jump,
            no_number_is_in_two_blocks,
            an_unused_rest_is_given_back_only_while_its_block_is_the_last,
            the_first_number_bound_to_a_chat_key_stays,
            a_chat_key_bound_at_once_gets_one_number,
        );
        $each!(upkeep:
            counts_are_right_before_and_after_a_fold,
            a_fold_says_how_much_it_folded,
            a_count_that_falls_to_none_is_none,
            many_counts_are_folded_at_once,
            counts_are_exact_in_every_snapshot,
            any_number_of_folders_fold_each_change_once,
            a_fold_that_is_cut_off_folds_all_or_nothing,
            an_audit_finds_a_wrong_count_and_repair_mends_it,
            an_audit_in_pages_checks_everything_once,
            a_purge_blanks_what_is_left_under_a_deleted_chat,
            the_index_is_told_the_same_before_a_purge_as_after_it,
            a_purge_finds_every_deleted_chat_however_few_it_may_do_at_once,
            a_message_that_comes_after_the_purge_is_found_by_the_next,
            a_purge_goes_down_from_a_deleted_application,
            purges_at_once_purge_each_message_once,
            a_removed_application_leaves_only_its_tombstone,
            nothing_is_removed_before_its_time_or_while_anything_is_live,
            deletes_purges_and_folds_at_once_end_exact,
        );
        $each!(gaps:
            a_scope_is_unexplained_until_it_is_explained_to_its_end,
            many_scopes_are_marked_and_explained_at_once,
            revisions_are_not_explained,
            scopes_are_walked_in_the_order_of_their_keys,
            rows_and_aliases_are_present_and_stubs_are_not,
            a_number_stored_meanwhile_is_left_out_of_its_gap,
            a_row_that_comes_late_is_cut_out_of_its_gap,
            a_stub_in_a_gap_is_removed_and_a_chats_stub_stays,
            nothing_is_explained_before_grace_and_rest,
            a_pass_goes_on_where_the_last_one_ended,
            a_pass_that_explained_looks_again,
            a_run_up_to_a_jump_is_a_lost_block,
            a_pass_explains_no_more_than_was_reserved,
            after_a_pass_every_number_is_there_or_explained,
            the_walk_at_start_explains_everything_that_was_reserved,
            the_walk_at_start_spans_a_jump_of_a_million,
            a_walk_over_many_stored_numbers_finds_each_gap,
        );
    };
}

/// `Numbers`: `each!(promise, ..);`
#[macro_export]
macro_rules! promises_of_numbers {
    ($each:ident) => {
        $each!(
            numbers_start_at_one_and_leave_none_out,
            numbers_are_unique_and_rising_for_many_at_once,
            scopes_are_numbered_apart,
            a_taker_that_gives_up_costs_at_most_its_number,
            the_last_number_given_is_known,
            a_chat_is_numbered_once_it_is_marked,
            a_deleted_chat_stays_deleted,
            a_claim_is_in_flight_then_unsettled_then_replayed,
            a_claim_for_another_request_is_a_mismatch,
            a_claim_made_many_times_at_once_gets_one_number,
            a_claim_that_got_no_number_can_be_made_again_at_once,
            a_released_claim_gets_its_number_again_at_once,
            settling_what_nobody_claimed_changes_nothing,
            a_process_that_died_leaves_gaps_and_never_a_number_twice,
            a_process_that_was_closed_leaves_no_gap,
            a_process_that_gave_nothing_closes_without_a_trace,
            a_number_taken_while_closing_is_not_given_again,
        );
    };
}

/// `Publisher` and `Subscriber`: `each!(promise, ..);`
#[macro_export]
macro_rules! promises_of_queue {
    ($each:ident) => {
        $each!(
            a_command_arrives_whole_in_its_queue,
            commands_wait_for_a_consumer,
            what_is_given_back_comes_again_or_its_publisher_is_told_why,
            what_is_dropped_comes_again_or_its_publisher_knows_that_nobody_knows,
            what_is_set_aside_does_not_come_again,
            nothing_is_lost_whatever_becomes_of_deliveries,
            consumers_share_a_queue,
            a_cancelled_consumer_hands_out_what_it_has_and_leaves_the_rest,
            waiting_for_a_delivery_can_be_given_up_without_losing_one,
            room_is_bounded_and_comes_back,
            a_delivery_nobody_answered_yet_is_not_rest,
            rows_for_the_index_all_arrive,
            rows_that_were_given_back_or_dropped_come_again,
        );
    };
}

/// `Search`: `each!(promise, ..);`
#[macro_export]
macro_rules! promises_of_search {
    ($each:ident) => {
        $each!(
            what_was_put_is_found_and_told,
            what_was_removed_is_found_and_told_nowhere,
            a_lower_version_never_replaces_a_higher_one,
            a_removal_can_be_followed_by_a_higher_version,
            of_the_same_version_the_removal_stays,
            one_batch_may_hold_a_message_many_times,
            no_tenant_finds_what_another_wrote,
            a_search_within_a_chat_stays_there,
            author_and_time_narrow_a_search,
            words_as_typed_come_before_longer_and_mistyped_ones,
            among_equals_the_newer_comes_first,
            pages_follow_one_another_without_gap_or_repetition,
            hits_are_counted_to_a_thousand,
            all_words_must_fit_and_no_exclusion_may,
            every_script_and_emoji_is_found,
            digests_are_told_page_by_page,
            entries_are_told_page_by_page,
            it_finds_exactly_what_the_rules_say,
        );
    };
}

/// `Rebuild`: `each!(promise, ..);`
#[macro_export]
macro_rules! promises_of_rebuild {
    ($each:ident) => {
        $each!(
            an_index_that_was_begun_is_begun_once,
            what_is_written_meanwhile_is_in_both,
            a_finished_index_is_the_one_in_use_for_everybody,
            only_the_index_that_is_being_built_can_be_finished,
            an_index_that_was_given_up_is_gone_and_writing_goes_on,
            an_index_out_of_use_is_kept_for_a_day,
            an_index_is_unfilled_until_somebody_filled_it,
            the_messages_in_use_are_counted,
        );
    };
}

/// `Limiter`: `each!(promise, ..);`
#[macro_export]
macro_rules! promises_of_limiter {
    ($each:ident) => {
        $each!(
            a_burst_is_let_through_and_then_no_more,
            rates_are_taken_in_order_up_to_the_first_that_refuses,
            coming_back_when_told_is_let_in_and_not_before,
            a_refused_request_costs_nothing,
            a_bucket_is_empty_again_when_it_said_so,
            in_the_long_run_the_rate_is_kept,
            buckets_do_not_share,
            takers_at_once_get_one_burst_together,
        );
    };
}
