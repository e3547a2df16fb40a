#include "dose.h"

#include <algorithm>

namespace dose {
namespace {

struct Range {
    const char* name;
    long Request::* value;
    long least;
    long most;
};

// What a meter, a meal and a therapy can be. Outside of it something was mistyped, or is in another unit.
constexpr Range kRanges[] = {
    {"glucose", &Request::glucose, 20, 600},
    {"carbohydrates", &Request::carbohydrates, 0, 200},
    {"on-board", &Request::on_board, 0, 30'000},
    {"target", &Request::target, 80, 160},
    {"ratio", &Request::ratio, 2, 60},
    {"sensitivity", &Request::sensitivity, 5, 300},
};

Decision refuse(std::string why) {
    Decision decision;
    decision.refused = std::move(why);
    return decision;
}

}  // namespace

Decision decide(const Request& request) {
    for (const Range& range : kRanges) {
        const long value = request.*range.value;
        if (value < range.least || value > range.most)
            return refuse(std::string(range.name) + ": expected " + std::to_string(range.least) + " to " +
                          std::to_string(range.most));
    }
    if (request.glucose < kLow) return refuse("glucose is below 70 mg/dl: treat that first");
    Decision decision;
    decision.meal = request.carbohydrates * 1000 / request.ratio;
    const long above = request.glucose - request.target;
    if (above >= 0) {
        // What still acts corrects already; it is never taken off the meal's part.
        decision.correction = std::max(0L, above * 1000 / request.sensitivity - request.on_board);
    } else {
        // Division goes towards zero; the amount that is taken off is rounded up, so that the dose is not.
        decision.correction = -((-above * 1000 + request.sensitivity - 1) / request.sensitivity);
    }
    const long wanted = std::max(0L, decision.meal + decision.correction);
    if (wanted > kHighest) return refuse("the bolus would be above 15 units: check what was entered");
    decision.bolus = wanted / kStep * kStep;
    return decision;
}

}  // namespace dose
