/// The turn of its owner. It ends when the owner lets this object go.
public final class Turn: Sendable {
    private let pass: @Sendable () -> Void

    init(pass: @escaping @Sendable () -> Void) {
        self.pass = pass
    }

    deinit { pass() }
}
