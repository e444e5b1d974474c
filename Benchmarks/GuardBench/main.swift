// Searches a file with the injection guard and prints the megabytes a second: GuardBench FILE. For scripts/bench.
internal import Glibc
internal import Guard

guard CommandLine.arguments.count == 2, let file = fopen(CommandLine.arguments[1], "r") else {
    print("usage: GuardBench FILE")
    exit(2)
}
var text: [UInt8] = []
var chunk = [UInt8](repeating: 0, count: 1 << 20)
while true {
    let count = fread(&chunk, 1, chunk.count, file)
    if count == 0 { break }
    text += chunk[..<count]
}
let guardian = InjectionGuard()
// Compiling is no part of the pass.
_ = guardian.search("x")
let string = String(decoding: text, as: UTF8.self)
let duration = ContinuousClock().measure {
    let found = guardian.search(string)
    if !found.isEmpty { print("found: \(found.names)") }
}
print(Double(text.count) / 1e6 / (duration / .seconds(1)))
