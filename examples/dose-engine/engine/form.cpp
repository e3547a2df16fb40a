#include "form.h"

#include <charconv>

namespace dose {
namespace {

const std::map<std::string, long Request::*> kNames = {
    {"glucose", &Request::glucose},   {"carbohydrates", &Request::carbohydrates},
    {"on-board", &Request::on_board}, {"target", &Request::target},
    {"ratio", &Request::ratio},       {"sensitivity", &Request::sensitivity},
};

// Digits alone: no sign, no blank, no point, no leading zero, and short enough for any arithmetic here.
bool is_whole(const std::string& text) {
    if (text.empty() || text.size() > 6 || (text.size() > 1 && text.front() == '0')) return false;
    for (const char each : text)
        if (each < '0' || each > '9') return false;
    return true;
}

}  // namespace

std::string read(const Fields& fields, Request& request) {
    for (const auto& [name, value] : fields)
        if (kNames.count(name) == 0) return "a field is unknown";
    for (const auto& [name, member] : kNames) {
        if (fields.count(name) != 1) return name + ": expected exactly once";
        const std::string& text = fields.find(name)->second;
        if (!is_whole(text)) return name + ": expected a whole number";
        std::from_chars(text.data(), text.data() + text.size(), request.*member);
    }
    return "";
}

}  // namespace dose
