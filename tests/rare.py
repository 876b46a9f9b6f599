"""Tests that only `make stress` runs: each takes long and has a relative that `make test` runs.

A name in brackets stands for one case, a name without brackets for all cases of a test.
"""

COMPILED_ONCE_MORE = [  # long when each potential had kernels built; the others are back
    "test_a_baseline_of_a_potential_of_ones_own_knows_its_truth",
    "test_a_global_that_changed_makes_another_potential",
    "test_a_potential_of_ones_own",
    "test_a_potential_of_the_user",
    "test_a_soft_potential_has_no_faults",
    "test_a_user_potential_makes_a_database",
    "test_kernels_of_own_functions_are_not_kept_on_disk",
    "test_no_false_alarm_of_models_of_ones_own",
    "test_scaling_finds_a_length_that_does_not_scale",
    "test_stale_images_through_boxes",
    "test_the_fast_path_of_the_modified_potential_is_that_of_any_other",
]
IN_A_CHAPTER = [  # the notebook named behind it does the same, and its output is compared
    "test_code_of_the_readme_runs",  # index
    "test_each_fault_is_caught_by_its_check",  # 12
]
ANOTHER_CASE = [  # the case that takes longest among several
    "test_a_killed_sweep_is_no_obstacle",
    "test_an_output_that_closes_or_is_full_ends_no_job["
    "generate made.parquet --n-configurations 100 | true-0]",
    "test_an_output_that_closes_or_is_full_ends_no_job["
    "generate made.parquet --n-configurations 100 2>&1 | head -c1-0]",
    "test_an_output_that_closes_or_is_full_ends_no_job["
    "generate made.parquet --n-configurations 100 >&- 2>&--0]",
    "test_better_stress_on_fresh_rows",
    "test_the_same_potential_of_ones_own_takes_no_memory",
    "test_ctrl_c_is_answered_within_a_second[stale]",
    "test_examples_of_the_help_run_one_after_another",
    "test_nothing_is_compiled_twice_and_a_second_process_compiles_nothing",
    "test_only_what_is_used_is_compiled[pt.relax(few, 2.0, epochs=2)-"
    "_make_lists-_make_boxed_lists _jump _steer]",
    "test_only_what_is_used_is_compiled[pt.relax(few, 5.0, epochs=2)-"
    "descend_blocks-_make_lists later grid_of descend_wide]",
    "test_the_same_as_on_a_database[huber]",
    "test_the_same_as_on_a_database[mse]",
    "test_training_repeats_in_another_process",
    "test_what_pools_are_given_arrives[fork]",
]
RARE = {*COMPILED_ONCE_MORE, *IN_A_CHAPTER, *ANOTHER_CASE}


def is_rare(item):
    "Is this test, or this case of it, one of them?"
    return item.name in RARE or getattr(item, "originalname", None) in RARE
