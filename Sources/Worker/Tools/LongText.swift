internal import Threads

/// Computes something on a text. A short text is done in the call's task. A long one is done on another thread, so that other
/// calls need not wait.
enum LongText {
    /// Bytes of a short text. Even a debug build computes anything on so many within some ten milliseconds.
    static let short = 64 << 10

    /// Calls `work`, whose time grows with the number of bytes.
    /// - Throws: what `work` throws, or a `FileFailure` if the call is cancelled meanwhile.
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
