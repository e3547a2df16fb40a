// The dose of an insulin bolus. All numbers are whole: glucose in mg/dl, carbohydrates in g, insulin in thousandths
// of a unit (mU). Nothing is ever rounded up. The figures are examples, not medical advice.
#pragma once

#include <string>

namespace dose {

struct Request {
    long glucose = 0;      // measured now
    long carbohydrates = 0;  // about to be eaten
    long on_board = 0;     // mU of earlier boluses that still act
    long target = 0;       // glucose to come back to
    long ratio = 0;        // g that one unit covers
    long sensitivity = 0;  // mg/dl by which one unit lowers glucose
};

struct Decision {
    long bolus = 0;       // mU
    long meal = 0;        // mU, the part for the carbohydrates
    long correction = 0;  // mU, the part for the glucose; below zero it is taken off the meal's
    std::string refused;  // why no dose is named; empty when one is
};

constexpr long kLow = 70;           // mg/dl; below, sugar is due and no insulin
constexpr long kStep = 50;          // mU that the pump can deliver
constexpr long kHighest = 15'000;   // mU; a larger bolus is never named

Decision decide(const Request& request);

}  // namespace dose
