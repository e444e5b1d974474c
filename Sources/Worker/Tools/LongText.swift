internal import Threads

/// Computing on a text: a short one where the call is, a long one apart from the tasks, so that no other call waits for it.
enum LongText {
    /// Bytes that are done within some ten milliseconds, whatever is done with them, also in a debug build.
    static let short = 64 << 10

    /// Calls `work`, which takes a time that grows with so many bytes.
    /// - Throws: what `work` throws, or a `FileFailure` where the call is cancelled meanwhile.
    static func compute<Result: Sendable, Failure>(
        on bytes: Int, _ work: @escaping @Sendable () throws(Failure) -> Result
    ) async throws -> Result {
        guard bytes > short else { return try work() }
        let result: Swift.Result<Result, Failure>
        do throws(Apart.Cancelled) {
            result = try await Apart.texts.run { _ in Swift.Result { () throws(Failure) in try work() } }
        } catch {
            throw FileFailure(sentence: "The call was cancelled.")
        }
        return try result.get()
    }
}
