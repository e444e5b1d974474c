/// Why the daemon, or a program of it, cannot start, as a sentence.
struct StartError: Error {
    let sentence: String
}
