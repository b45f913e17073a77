/** One of a few choices, with a sentence that says what it means: a radio button on a card. */
export function ChoiceCard(props: {
  name: string;
  title: string;
  text: string;
  checked: boolean;
  onChoose: () => void;
}) {
  return (
    <label
      className={`flex items-start gap-2 rounded-md border p-2 ${props.checked ? 'border-accent bg-accent-soft' : 'border-line'}`}
    >
      <input
        type="radio"
        name={props.name}
        checked={props.checked}
        onChange={props.onChoose}
        className="mt-1"
      />
      <span>
        <span className="font-medium">{props.title}</span>
        <span className="block text-soft">{props.text}</span>
      </span>
    </label>
  );
}
