// The service on port 8080. With -health it asks a running one: the image has no curl.
#include <httplib.h>

#include <csignal>
#include <iostream>
#include <string>

#include "dose.h"
#include "form.h"

namespace {

constexpr int kPort = 8080;
constexpr std::size_t kLongestBody = 4096;
httplib::Server* running = nullptr;

const char* kPage = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Dose engine</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
:root { color-scheme: light dark; font: 16px/1.45 system-ui, sans-serif }
body { margin: 0 auto; padding: 1rem; max-width: 26rem }
label { display: flex; justify-content: space-between; margin: .5rem 0 }
input { width: 7rem; font: inherit; text-align: right } button { font: inherit; padding: .4rem 1.4rem }
</style></head><body><h1>Dose engine</h1><form method="post" action="doses">
<label>Glucose, mg/dl <input name="glucose" inputmode="numeric" required></label>
<label>Carbohydrates, g <input name="carbohydrates" inputmode="numeric" required></label>
<label>Insulin on board, mU <input name="on-board" inputmode="numeric" value="0" required></label>
<label>Target, mg/dl <input name="target" inputmode="numeric" value="110" required></label>
<label>Ratio, g/U <input name="ratio" inputmode="numeric" required></label>
<label>Sensitivity, mg/dl/U <input name="sensitivity" inputmode="numeric" required></label>
<button>Calculate</button></form></body></html>
)";

void answer(httplib::Response& response, int status, const std::string& text) {
    response.status = status;
    response.set_content(text + "\n", "application/json");
}

void dose_of(const httplib::Request& request, httplib::Response& response) {
    // In an address, values would be in the log of every proxy.
    if (request.target.find('?') != std::string::npos) return answer(response, 400, R"({"refused": "send a form"})");
    dose::Request asked;
    const std::string wrong = dose::read(request.params, asked);
    if (!wrong.empty()) return answer(response, 400, R"({"refused": ")" + wrong + "\"}");
    const dose::Decision decided = dose::decide(asked);
    std::cout << "a dose was " << (decided.refused.empty() ? "named" : "refused") << std::endl;
    if (!decided.refused.empty()) return answer(response, 422, R"({"refused": ")" + decided.refused + "\"}");
    answer(response, 200,
           R"({"bolus_mu": )" + std::to_string(decided.bolus) + R"(, "meal_mu": )" + std::to_string(decided.meal) +
               R"(, "correction_mu": )" + std::to_string(decided.correction) + "}");
}

int health() {
    httplib::Client client("127.0.0.1", kPort);
    client.set_read_timeout(2);
    const auto found = client.Get("/health");
    return found && found->status == 200 ? 0 : 1;
}

}  // namespace

int main(int count, char** words) {
    if (count > 1 && std::string(words[1]) == "-health") return health();
    httplib::Server server;
    running = &server;
    for (const int signal : {SIGTERM, SIGINT}) std::signal(signal, [](int) { running->stop(); });
    server.set_payload_max_length(kLongestBody);
    server.set_read_timeout(5);
    server.set_default_headers({{"Cache-Control", "no-store"},
                                {"Content-Security-Policy",
                                 "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
                                 "frame-ancestors 'none'"},
                                {"X-Content-Type-Options", "nosniff"}});
    server.Get("/", [](const auto&, auto& response) { response.set_content(kPage, "text/html; charset=utf-8"); });
    server.Get("/health", [](const auto&, auto& response) { answer(response, 200, R"({"status": "ok"})"); });
    server.Post("/doses", dose_of);
    std::cout << "dose-engine answers on port " << kPort << std::endl;
    return server.listen("0.0.0.0", kPort) ? 0 : 1;
}
