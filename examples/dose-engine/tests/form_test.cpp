#include "form.h"

#include <gtest/gtest.h>

namespace {

const dose::Fields kGood = {{"glucose", "190"}, {"carbohydrates", "60"}, {"on-board", "0"},
                            {"target", "110"},  {"ratio", "10"},         {"sensitivity", "40"}};

std::string wrong(const dose::Fields& fields) {
    dose::Request request;
    return dose::read(fields, request);
}

TEST(Form, IsRead) {
    RecordProperty("requirement", "DE-008");
    dose::Request request;
    EXPECT_EQ(dose::read(kGood, request), "");
    EXPECT_EQ(request.glucose, 190);
    EXPECT_EQ(request.on_board, 0);
    EXPECT_EQ(request.sensitivity, 40);
}

TEST(Form, IsRefusedWithAFieldMissingTwiceOrUnknown) {
    RecordProperty("requirement", "DE-008");
    for (const auto& [name, value] : kGood) {
        dose::Fields fields = kGood;
        fields.erase(name);
        EXPECT_NE(wrong(fields), "") << name;
        fields = kGood;
        fields.emplace(name, value);
        EXPECT_NE(wrong(fields), "") << name;
    }
    dose::Fields fields = kGood;
    fields.emplace("Glucose", "70");
    EXPECT_NE(wrong(fields), "");
}

TEST(Form, IsRefusedWithWhatIsNoWholeNumber) {
    RecordProperty("requirement", "DE-008");
    for (const char* text : {"", " 190", "190 ", "+190", "-190", "190.0", "0190", "1e2", "0x7f", "1234567",
                                    "99999999999999999999", "NaN", "\xd9\xa1\xd9\xa9"}) {
        dose::Fields fields = kGood;
        fields.erase("glucose");
        fields.emplace("glucose", text);
        EXPECT_EQ(wrong(fields), "glucose: expected a whole number") << text;
    }
}

TEST(Form, IsRefusedWithoutQuotingAValue) {
    RecordProperty("requirement", "DE-009");
    dose::Fields fields = kGood;
    fields.emplace("glucose\"}", "secret");
    EXPECT_EQ(wrong(fields), "a field is unknown");
}

}  // namespace
