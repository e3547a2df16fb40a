#include "dose.h"

#include <gtest/gtest.h>

namespace {

// 60 g at 10 g/U, glucose at its target: six units for the meal, nothing to correct.
const dose::Request kMeal{110, 60, 0, 110, 10, 40};

dose::Request with(long dose::Request::* member, long value) {
    dose::Request changed = kMeal;
    changed.*member = value;
    return changed;
}

TEST(Dose, CoversTheMeal) {
    RecordProperty("requirement", "DE-001");
    EXPECT_EQ(dose::decide(kMeal).bolus, 6000);
    EXPECT_EQ(dose::decide(with(&dose::Request::carbohydrates, 0)).bolus, 0);
}

TEST(Dose, CorrectsGlucoseAboveTheTarget) {
    RecordProperty("requirement", "DE-002");
    EXPECT_EQ(dose::decide(with(&dose::Request::glucose, 190)).bolus, 8000);
}

TEST(Dose, TakesOffTheMealBelowTheTarget) {
    RecordProperty("requirement", "DE-002");
    EXPECT_EQ(dose::decide(with(&dose::Request::glucose, 70)).bolus, 5000);
    dose::Request snack = with(&dose::Request::glucose, 70);
    snack.carbohydrates = 5;
    EXPECT_EQ(dose::decide(snack).bolus, 0);
}

TEST(Dose, TakesInsulinOnBoardOffTheCorrectionAlone) {
    RecordProperty("requirement", "DE-003");
    dose::Request request = with(&dose::Request::glucose, 190);
    request.on_board = 1500;
    EXPECT_EQ(dose::decide(request).bolus, 6500);
    request.on_board = 30'000;
    EXPECT_EQ(dose::decide(request).bolus, 6000);
}

TEST(Dose, IsNeverRoundedUp) {
    RecordProperty("requirement", "DE-004");
    EXPECT_EQ(dose::decide(with(&dose::Request::ratio, 7)).bolus, 8550);  // 8571 mU
    dose::Request request = with(&dose::Request::glucose, 109);
    request.sensitivity = 300;
    EXPECT_EQ(dose::decide(request).correction, -4);  // 3.33 mU are taken off as 4
    EXPECT_EQ(dose::decide(request).bolus, 5950);
}

TEST(Dose, IsNotNamedForLowGlucose) {
    RecordProperty("requirement", "DE-005");
    EXPECT_FALSE(dose::decide(with(&dose::Request::glucose, 69)).refused.empty());
    EXPECT_EQ(dose::decide(with(&dose::Request::glucose, 69)).bolus, 0);
    EXPECT_TRUE(dose::decide(with(&dose::Request::glucose, 70)).refused.empty());
}

TEST(Dose, IsNeverAboveFifteenUnits) {
    RecordProperty("requirement", "DE-006");
    EXPECT_EQ(dose::decide(with(&dose::Request::carbohydrates, 150)).bolus, 15'000);
    EXPECT_FALSE(dose::decide(with(&dose::Request::carbohydrates, 151)).refused.empty());
    EXPECT_EQ(dose::decide(with(&dose::Request::carbohydrates, 151)).bolus, 0);
}

struct Limit {
    long dose::Request::* member;
    long least;
    long most;
};

class Limits : public testing::TestWithParam<Limit> {};

TEST_P(Limits, AreRefusedBeyond) {
    RecordProperty("requirement", "DE-007");
    const Limit& limit = GetParam();
    for (const long value : {limit.least - 1, limit.most + 1}) {
        EXPECT_NE(dose::decide(with(limit.member, value)).refused.find("expected"), std::string::npos) << value;
    }
    for (const long value : {limit.least, limit.most}) {
        EXPECT_EQ(dose::decide(with(limit.member, value)).refused.find("expected"), std::string::npos) << value;
    }
}

INSTANTIATE_TEST_SUITE_P(Of, Limits,
                         testing::Values(Limit{&dose::Request::glucose, 20, 600},
                                         Limit{&dose::Request::carbohydrates, 0, 200},
                                         Limit{&dose::Request::on_board, 0, 30'000},
                                         Limit{&dose::Request::target, 80, 160}, Limit{&dose::Request::ratio, 2, 60},
                                         Limit{&dose::Request::sensitivity, 5, 300}));

TEST(Dose, IsPlausibleForEveryRequest) {
    RecordProperty("requirement", "DE-004,DE-006");
    for (long glucose = 20; glucose <= 600; glucose += 29)
        for (long grams = 0; grams <= 200; grams += 20)
            for (long ratio = 2; ratio <= 60; ratio += 7) {
                const dose::Decision decided = dose::decide({glucose, grams, 500, 110, ratio, 40});
                ASSERT_GE(decided.bolus, 0);
                ASSERT_LE(decided.bolus, dose::kHighest);
                ASSERT_LE(decided.bolus, std::max(0L, decided.meal + decided.correction));
                ASSERT_EQ(decided.bolus % dose::kStep, 0);
            }
}

}  // namespace
