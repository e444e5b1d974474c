/// Why the daemon does not start, as a sentence.
struct StartError: Error {
    let sentence: String
}
