"""Every fault the simulator knows, beside the tests that show the whole operator coming through it."""

import importlib
import inspect
from typing import Any

import pytest

from tests.engine.world import World

TABLE: dict[str, tuple[str, ...]] = {
    # calls: when and whether they are answered
    "latency": (
        "test_faults_slow.test_a_create_that_takes_13_seconds_is_waited_for",
        "test_faults_slow.test_answers_slower_than_the_deadline_are_looked_up_and_nothing_is_made_twice",
        "test_faults_slow.test_changes_slower_than_the_deadline_are_compared_and_not_repeated",
        "test_faults_slow.test_reads_slower_than_the_deadline_cost_few_calls_and_change_nothing",
    ),
    "late_effect": ("test_faults_slow.test_what_is_done_after_its_caller_has_left_is_found_and_not_done_again",),
    "timeout_before": ("test_faults_creates.test_every_create_with_a_lost_answer_makes_one_object",),
    "timeout_after": (
        "test_faults_creates.test_every_create_with_a_lost_answer_makes_one_object",
        "test_faults_creates.test_an_env_group_with_a_lost_answer_is_made_once",
    ),
    "reset": (
        "test_faults_creates.test_every_create_with_a_lost_answer_makes_one_object",
        "test_lost_answers.test_a_stack_whose_every_create_is_unanswered_stands_once",
    ),
    "slow_body": ("test_faults_slow.test_a_body_that_drips_is_cut_off_and_the_create_is_found",),
    # statuses: 400, 401, 402, 403, 409, 429 with and without headers and with nonsense in them, 500, 502, 503
    "status": (
        "test_refusals.test_a_refusal_is_final_for_the_generation_until_edited",
        "test_refusals.test_what_is_not_allowed_pauses_creates_says_so_and_recovers_by_itself",
        "test_faults_answers.test_a_create_that_works_and_says_that_its_name_is_taken_is_ours",
        "test_faults_answers.test_it_is_ours_even_where_the_lists_lag_behind",
        "test_faults_creates.test_429_is_waited_out_and_is_nobodys_failure",
        "test_faults_answers.test_a_429_that_says_nonsense_is_waited_out_for_an_hour_at_most",
        "test_faults_answers.test_a_429_dated_by_http_is_waited_out_until_that_date",
        "test_faults_answers.test_limits_that_never_end_are_not_believed",
        "test_faults_answers.test_throttled_reads_are_asked_again_once_a_window_and_are_no_failure",
        "test_faults_creates.test_bursts_of_server_errors_delay_and_double_nothing",
        "test_faults_answers.test_creates_that_fail_without_effect_are_made_in_the_end_and_once",
        "test_faults_answers.test_a_server_error_that_lasts_is_asked_about_calmly_and_over_by_itself",
        "test_lost_answers.test_a_purge_whose_every_answer_is_lost_ends_with_nothing_left",
    ),
    "limits_halved": ("test_faults_reads.test_halved_limits_are_learned_and_kept",),
    # what answers say
    "malformed_json": ("test_faults_creates.test_every_create_with_a_lost_answer_makes_one_object",),
    "wrong_schema": (
        "test_faults_answers.test_creates_that_answer_in_another_schema_are_found",
        "test_faults_answers.test_answers_that_show_nothing_or_half_change_nothing_however_long",
    ),
    "null_body": (
        "test_faults_answers.test_creates_that_answer_in_another_schema_are_found",
        "test_faults_answers.test_answers_that_show_nothing_or_half_change_nothing_however_long",
        "test_faults_answers.test_a_null_for_a_list_is_no_proof_of_absence",
    ),
    "extra_fields": ("test_faults_reads.test_fields_nobody_knows_are_no_difference",),
    "unknown_enum": ("test_faults_reads.test_words_nobody_knows_are_reported_and_not_fought_for_ever",),
    "updated_back": ("test_faults_answers.test_updated_times_that_go_back_cause_no_effect_and_few_calls",),
    "clock_skew": (
        "test_faults_answers.test_dates_that_are_off_by_ten_minutes_stop_and_double_nothing",
        "test_faults_answers.test_dates_that_jump_between_answers_stop_and_double_nothing",
    ),
    # what lists and reads show
    "list_lag": (
        "test_faults_reads.test_lists_that_lag_and_reads_that_are_stale_do_not_double_a_birth",
        "test_faults_reads.test_lists_that_lose_double_or_show_nothing_delete_and_create_nothing",
    ),
    "list_missing": ("test_faults_reads.test_lists_that_lose_double_or_show_nothing_delete_and_create_nothing",),
    "list_duplicate": ("test_faults_reads.test_lists_that_lose_double_or_show_nothing_delete_and_create_nothing",),
    "list_empty": (
        "test_faults_answers.test_lists_of_parts_that_lie_are_caught_by_asking_for_a_part_by_name",
        "test_faults_answers.test_answers_that_show_nothing_or_half_change_nothing_however_long",
        "test_faults_answers.test_a_birth_with_lost_answers_amid_bad_lists_is_not_doubled",
    ),
    "list_half": ("test_faults_answers.test_answers_that_show_nothing_or_half_change_nothing_however_long",),
    "cursor_expired": ("test_faults_answers.test_a_cursor_that_expires_between_pages_ends_the_look_not_the_tenant",),
    "stale_read": ("test_faults_reads.test_stale_reads_after_a_change_do_not_cause_a_second_one",),
    # lives that go wrong
    "build_failed": ("test_faults_lifecycles.test_a_build_that_fails_is_said_and_left_alone_until_asked_for_again",),
    "deploy_failed": (
        "test_faults_lifecycles.test_a_deploy_that_fails_leaves_the_old_one_running_and_the_next_one_heals",
    ),
    "deploy_stuck": (
        "test_faults_lifecycles.test_a_deploy_that_hangs_is_degraded_after_its_deadline_and_healed_by_the_next_one",
        "test_faults_lifecycles.test_where_a_new_deploy_replaces_a_hanging_one_nobody_has_to_wait",
    ),
    "postgres_stuck": (
        "test_faults_lifecycles.test_a_database_that_never_comes_up_is_waited_for_with_a_deadline"
        "_and_nothing_is_made_in_vain",
    ),
    "billing_suspended": (
        "test_faults_account.test_a_suspended_account_is_reported_not_fought_and_heals_by_itself",
        "test_faults_account.test_signups_and_edits_meanwhile_wait_are_asked_every_five_minutes_and_go_on_by_themselves",
        "test_faults_account.test_what_a_spec_suspended_stays_so_when_the_account_is_free_again",
        "test_faults_account.test_a_resume_asked_for_during_the_suspension_waits_for_its_end",
    ),
}
ROWS = [(fault, test) for fault, tests in TABLE.items() for test in tests]


def found(test: str) -> Any:
    module, name = test.split(".")
    return getattr(importlib.import_module(f"tests.engine.{module}"), name)


async def test_every_fault_of_the_simulator_has_a_test_of_the_operator(world: World) -> None:
    known = await world.simulator.call("GET", "/_sim/faults/known")
    assert {one["fault"] for one in known} == set(TABLE), "a fault without a test here is one nobody came through"


@pytest.mark.parametrize(("fault", "test"), ROWS)
def test_the_table_names_tests_that_inject_the_fault_into_a_whole_operator(fault: str, test: str) -> None:
    function = found(test)
    assert f'"{fault}"' in inspect.getsource(function), "it does not name the fault"
    assert {"world", "hasty"} & set(inspect.signature(function).parameters), "it runs no operator"


@pytest.mark.parametrize("fault", TABLE)
def test_the_quick_tests_meet_every_fault(fault: str) -> None:
    marks = [{mark.name for mark in getattr(found(test), "pytestmark", [])} for test in TABLE[fault]]
    assert any("long" not in names for names in marks)
