-- wrk -s post.lua URL -- BODY_FILE [EXPECTED_FILE]
-- Posts a body. With EXPECTED_FILE every answer is compared with it, which costs the generator time.
-- The last line of the output is JSON: durations in microseconds.

local threads = {}

local function content(path)
    local file = assert(io.open(path, "rb"))
    local text = file:read("*a")
    file:close()
    return text
end

function setup(thread)
    table.insert(threads, thread)
end

function init(args)
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/json"
    wrk.body = content(args[1])
    wrong = 0
    if args[2] then
        local expected = content(args[2])
        response = function(_, _, body)
            if body ~= expected then wrong = wrong + 1 end
        end
    end
end

function done(summary, latency, requests)
    local wrong_answers = 0
    for _, thread in ipairs(threads) do wrong_answers = wrong_answers + thread:get("wrong") end
    local errors = summary.errors
    print(string.format(
        '{"requests": %d, "duration_us": %d, "p50_us": %d, "p99_us": %d, "failed": %d, "socket_errors": %d, "wrong": %d}',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), errors.status,
        errors.connect + errors.read + errors.write + errors.timeout, wrong_answers))
end
