import { useId, type ComponentProps, type ReactNode } from 'react';
/** The look of a field. */
export const BOX =
  'min-h-[2.15rem] w-full min-w-0 rounded-md border border-line-strong bg-panel px-2 py-1 text-ink disabled:bg-sunk disabled:text-soft aria-invalid:border-bad';

interface FieldProps {
  label: string;
  /** What it is for, or which values it takes. */
  hint?: ReactNode;
  error?: string | undefined;
  children: (attributes: {
    id: string;
    'aria-describedby': string | undefined;
    'aria-invalid': boolean;
  }) => ReactNode;
}

/** A label, its control, a hint and what is wrong with it. */
export function Field({ label, hint, error, children }: FieldProps) {
  const id = useId();
  const about = hint === undefined && error === undefined ? undefined : `${id}-about`;
  return (
    <div className="flex min-w-0 flex-col gap-1">
      <label htmlFor={id} className="font-medium">
        {label}
      </label>
      {children({ id, 'aria-describedby': about, 'aria-invalid': error !== undefined })}
      {about !== undefined && (
        <p id={about} className={error === undefined ? 'text-soft' : 'foreign text-bad'}>
          {error ?? hint}
        </p>
      )}
    </div>
  );
}

type InputProps = Omit<ComponentProps<'input'>, 'children'> & Omit<FieldProps, 'children'>;

/** A text field with its label. */
export function TextField({ label, hint, error, className = '', ...rest }: InputProps) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(attributes) => (
        <input
          autoComplete="off"
          spellCheck={false}
          {...rest}
          {...attributes}
          className={`${BOX} ${className}`}
        />
      )}
    </Field>
  );
}

type AreaProps = Omit<ComponentProps<'textarea'>, 'children'> & Omit<FieldProps, 'children'>;

/** Several lines of text with their label. */
export function AreaField({ label, hint, error, ...rest }: AreaProps) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(attributes) => (
        <textarea spellCheck={false} {...rest} {...attributes} className={`${BOX} font-mono`} />
      )}
    </Field>
  );
}

interface SelectProps<W extends string> extends Omit<FieldProps, 'children'> {
  value: W;
  onChange: (value: W) => void;
  options: readonly { value: W; text: string }[];
}

/** A choice among a few words, by the browser's own list, which works everywhere. */
export function SelectField<W extends string>(props: SelectProps<W>) {
  const { label, hint, error, value, onChange, options } = props;
  return (
    <Field label={label} hint={hint} error={error}>
      {(attributes) => (
        <select
          {...attributes}
          value={value}
          onChange={(event) => onChange(event.target.value as W)}
          className={BOX}
        >
          {options.map((option) => (
            <option key={option.value} value={option.value}>
              {option.text}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

/** The search box of a page: `/` moves here. */
export function SearchBox(props: {
  label: string;
  value: string;
  onChange: (value: string) => void;
}) {
  return (
    <input
      type="search"
      data-search
      aria-label={props.label}
      placeholder={`${props.label}  ( / )`}
      value={props.value}
      onChange={(event) => props.onChange(event.target.value)}
      className={`${BOX} sm:max-w-80`}
    />
  );
}
