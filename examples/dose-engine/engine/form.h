// A request as a form: names and whole numbers, each exactly once.
#pragma once

#include <map>
#include <string>

#include "dose.h"

namespace dose {

using Fields = std::multimap<std::string, std::string>;

// Return an empty text and fill the request, or return what is wrong. Never quotes a value: values are patient data.
std::string read(const Fields& fields, Request& request);

}  // namespace dose
